"""Container task instances."""

from __future__ import annotations

from saltant.models.base_task_instance import BaseTaskInstance, BaseTaskInstanceManager


class ContainerTaskInstance(BaseTaskInstance):
    """A container task instance: `BaseTaskInstance` tells its attributes."""

    manager: ContainerTaskInstanceManager


class ContainerTaskInstanceManager(BaseTaskInstanceManager[ContainerTaskInstance]):
    """Acts on container task instances."""

    list_url = "containertaskinstances/"
    detail_url = "containertaskinstances/{uuid}/"
    clone_url = "containertaskinstances/{uuid}/clone/"
    terminate_url = "containertaskinstances/{uuid}/terminate/"
    attempts_url = "containertaskinstances/{uuid}/attempts/"
    model = ContainerTaskInstance
