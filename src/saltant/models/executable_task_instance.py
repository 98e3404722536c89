"""Executable task instances."""

from __future__ import annotations

from saltant.models.base_task_instance import BaseTaskInstance, BaseTaskInstanceManager


class ExecutableTaskInstance(BaseTaskInstance):
    """An executable task instance: `BaseTaskInstance` tells its attributes."""

    manager: ExecutableTaskInstanceManager


class ExecutableTaskInstanceManager(BaseTaskInstanceManager[ExecutableTaskInstance]):
    """Acts on executable task instances."""

    list_url = "executabletaskinstances/"
    detail_url = "executabletaskinstances/{uuid}/"
    clone_url = "executabletaskinstances/{uuid}/clone/"
    terminate_url = "executabletaskinstances/{uuid}/terminate/"
    attempts_url = "executabletaskinstances/{uuid}/attempts/"
    model = ExecutableTaskInstance
