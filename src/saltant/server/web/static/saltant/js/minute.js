// What changes without an event, a worker that falls silent, is looked for once a minute while somebody looks at the page.
setInterval(() => {
  if (!document.hidden) document.body.dispatchEvent(new CustomEvent("saltant:changed"));
}, 60_000);
