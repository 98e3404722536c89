// The log of an instance: with colours, followed while it is written, searched in.
import { Painter } from "./ansi.js";

const LINES = 2000;
const MOST = 2_000_000; // characters that the page holds; the whole log is for downloading
const panel = document.querySelector("[data-log]");

if (panel) {
  const text = panel.querySelector("[data-log-text]");
  const said = panel.querySelector("[data-log-said]");
  const toggle = panel.querySelector("[data-log-follow]");
  const field = panel.querySelector("#log-search");
  let painter = new Painter();
  let decoder = new TextDecoder();
  let stream = null;
  let follows = true;
  let isOver = panel.dataset.finished === "true";

  function clear() {
    text.replaceChildren();
    painter = new Painter();
    decoder = new TextDecoder();
  }

  function add(bytes) {
    text.append(painter.paint(decoder.decode(bytes, { stream: true })));
    let length = text.textContent.length;
    while (length > MOST && text.childNodes.length > 1) {
      length -= text.firstChild.textContent.length;
      text.firstChild.remove();
    }
    if (follows) text.scrollTop = text.scrollHeight;
    if (field.value) search(0);
  }

  async function fetchEnd() {
    const answer = await fetch(`${panel.dataset.log}?tail=${LINES}`);
    if (!answer.ok) return;
    const bytes = new Uint8Array(await answer.arrayBuffer());
    clear();
    add(bytes);
  }

  function listen() {
    if (stream || isOver || document.hidden) return;
    stream = new EventSource(`${panel.dataset.log}?follow=true&tail=${LINES}`);
    let isFirst = true;
    const begin = () => {
      if (isFirst) clear();
      isFirst = false;
    };
    stream.addEventListener("message", (event) => {
      begin();
      add(Uint8Array.from(atob(JSON.parse(event.data).data), (each) => each.charCodeAt(0)));
    });
    stream.addEventListener("end", (event) => {
      begin();
      close();
      // Another attempt has a log of its own.
      if (["created", "published", "running"].includes(JSON.parse(event.data).state)) {
        document.body.addEventListener("saltant:changed", listen, { once: true });
      } else {
        isOver = true;
        show();
      }
    });
    stream.addEventListener("error", () => {
      if (stream?.readyState === EventSource.CLOSED) close();
    });
  }

  function close() {
    stream?.close();
    stream = null;
  }

  function show() {
    toggle.hidden = isOver;
    toggle.setAttribute("aria-pressed", String(follows));
    toggle.textContent = follows ? "Pause" : "Follow";
  }

  toggle.addEventListener("click", () => {
    follows = !follows;
    if (follows) text.scrollTop = text.scrollHeight;
    show();
  });
  // Who scrolls up reads: what comes does not tear them away.
  text.addEventListener("wheel", (event) => {
    if (event.deltaY < 0 && follows && !isOver) {
      follows = false;
      show();
    }
  }, { passive: true });

  let found = [];
  let here = -1;

  function search(step) {
    const wanted = field.value.toLowerCase();
    found = [];
    if (wanted) {
      const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
      while (walker.nextNode() && found.length < 5000) {
        const content = walker.currentNode.data.toLowerCase();
        for (let at = content.indexOf(wanted); at >= 0 && found.length < 5000; at = content.indexOf(wanted, at + wanted.length)) {
          const range = new Range();
          range.setStart(walker.currentNode, at);
          range.setEnd(walker.currentNode, at + wanted.length);
          found.push(range);
        }
      }
    }
    if (!found.length) here = -1;
    else if (step) here = (here + step + found.length) % found.length;
    said.textContent = !wanted ? "" : found.length ? `${Math.max(here, 0) + 1} of ${found.length}` : "Not in what is shown here";
    if (window.CSS?.highlights) {
      CSS.highlights.set("found", new Highlight(...found));
      CSS.highlights.set("here", new Highlight(...(here >= 0 ? [found[here]] : [])));
    }
    if (step && here >= 0) {
      const box = found[here].getBoundingClientRect();
      text.scrollTop += box.top - text.getBoundingClientRect().top - text.clientHeight / 2;
      follows = false;
      show();
    }
  }

  field.addEventListener("input", () => {
    here = -1;
    search(1);
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") search(event.shiftKey ? -1 : 1);
  });
  panel.querySelector("[data-log-next]").addEventListener("click", () => search(1));

  // The page around it is drawn anew, and a panel that is moved loses where it was.
  let top = 0;
  document.body.addEventListener("htmx:beforeSwap", () => (top = text.scrollTop));
  document.body.addEventListener("htmx:afterSwap", () => (text.scrollTop = follows && !isOver ? text.scrollHeight : top));

  show();
  if (isOver) fetchEnd();
  else listen();
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : listen()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", listen);
}
