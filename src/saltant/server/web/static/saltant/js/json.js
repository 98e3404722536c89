// <textarea data-json> is checked while one types; the server checks it anyway. data-json="object" wants an object;
// "list" a list, where the text begins as one, and otherwise takes lines; an empty text is right.
const PLACE = /line (\d+) column (\d+)|position (\d+)/;

function place(text, error) {
  const found = PLACE.exec(error.message);
  if (!found) return "";
  let [, line, column] = found;
  if (found[3] !== undefined) {
    const before = text.slice(0, Number(found[3])).split("\n");
    [line, column] = [before.length, before.at(-1).length + 1];
  }
  return ` It goes wrong in line ${line}, at character ${column}.`;
}

function flaw(text, wanted) {
  if (!text.trim() || (wanted === "list" && !text.trimStart().startsWith("["))) return "";
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return `This is no JSON yet.${place(text, error)}`;
  }
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  if (wanted === "object" && !isObject) return 'This is JSON, but no object: write {"name": value}.';
  if (wanted === "list" && !(Array.isArray(value) && value.every((each) => typeof each === "string"))) {
    return "This is JSON, but no list of texts.";
  }
  return "";
}

function check(area) {
  const said = document.getElementById(`${area.id}-error`);
  const wrong = flaw(area.value, area.dataset.json);
  area.toggleAttribute("aria-invalid", false);
  if (wrong) area.setAttribute("aria-invalid", "true");
  if (!said) return;
  const sentence = document.createElement("p");
  sentence.className = "error";
  sentence.textContent = wrong;
  said.replaceChildren(...(wrong ? [sentence] : []));
}

const waits = new Map();
document.addEventListener("input", (event) => {
  const area = event.target;
  if (!area.matches?.("textarea[data-json]")) return;
  clearTimeout(waits.get(area));
  waits.set(area, setTimeout(check, 300, area));
});
document.addEventListener("focusout", (event) => {
  if (event.target.matches?.("textarea[data-json]") && waits.has(event.target)) check(event.target);
});
