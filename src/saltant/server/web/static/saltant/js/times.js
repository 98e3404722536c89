// <time data-when="ago|at"> in UTC becomes "3 min ago" or the local time, unless its text is in the user's own zone.
const UNITS = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
const local = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium" });

export function span(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const at = UNITS.findIndex(([, size]) => whole >= size);
  if (at < 0) return "0 s";
  const [name, size] = UNITS[at];
  const next = UNITS[at + 1];
  const rest = next ? Math.floor((whole % size) / next[1]) : 0;
  return rest && at < 3 ? `${Math.floor(whole / size)} ${name} ${rest} ${next[0]}` : `${Math.floor(whole / size)} ${name}`;
}

function ago(seconds) {
  const [name, size] = UNITS.find(([, each]) => Math.abs(seconds) >= each) ?? UNITS[3];
  const count = Math.floor(Math.abs(seconds) / size);
  if (name === "s" && count < 5) return "just now";
  return seconds < 0 ? `in ${count} ${name}` : `${count} ${name} ago`;
}

export function show(within = document) {
  for (const each of within.querySelectorAll("time[data-when]")) {
    const moment = new Date(each.dateTime);
    const seconds = (Date.now() - moment.getTime()) / 1000;
    if (!each.title) each.title = each.textContent.trim();
    if (each.dataset.when === "since") each.textContent = span(seconds);
    else if (each.dataset.when === "ago" && Math.abs(seconds) < 7 * 86400) each.textContent = ago(seconds);
    else if (!each.hasAttribute("data-zoned")) each.textContent = local.format(moment);
  }
}

show();
setInterval(() => { if (!document.hidden) show(); }, 1000);
document.addEventListener("htmx:afterSwap", () => show());
