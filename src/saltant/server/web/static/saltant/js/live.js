// One event stream a page. It only says that something changed; what that is, the server draws.
//
// An element with data-live-query="QUERY" opens /api/events/?QUERY. Whatever has hx-trigger="saltant:changed from:body" is fetched again,
// about once a second at most. A page that nobody looks at holds no connection: browsers have few for each server.
const PAUSE = 1000;
let stream = null;
let asked = null;
let timer = null;
let last = 0;

const query = () => document.querySelector("[data-live-query]")?.dataset.liveQuery;

function tell(text, state) {
  const sign = document.querySelector(".live");
  if (!sign) return;
  sign.dataset.live = state;
  sign.textContent = text;
}

function changed() {
  if (timer !== null) return;
  timer = setTimeout(() => {
    timer = null;
    last = Date.now();
    document.body.dispatchEvent(new CustomEvent("saltant:changed"));
  }, Math.max(50, last + PAUSE - Date.now()));
}

function open() {
  if (stream || document.hidden || query() === undefined) return;
  asked = query();
  stream = new EventSource(`/api/events/?${asked}`);
  stream.addEventListener("change", changed);
  stream.addEventListener("open", () => {
    tell("Live", "on");
    // What happened before the stream began was told to nobody.
    changed();
  });
  stream.addEventListener("error", () => {
    tell("Not live: trying to connect", "off");
    if (stream?.readyState === EventSource.CLOSED) {
      stream = null;
      setTimeout(open, 5000);
    }
  });
}

function close() {
  stream?.close();
  stream = null;
}

document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
addEventListener("pagehide", close);
addEventListener("pageshow", open);
document.addEventListener("htmx:afterSettle", () => {
  // Other filters, another stream; and none once there is nothing to wait for.
  if (stream && asked !== query()) close();
  open();
});
