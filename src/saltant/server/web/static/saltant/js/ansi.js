// Text with a terminal's colours, as nodes with classes: text goes in as text, whatever it says.
// eslint-disable-next-line no-control-regex
const STEERING = /\x1b\[([0-?]*)([ -/]*[@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]/g;
// What may be the beginning of a sequence whose rest has not come yet.
const BEGUN = /\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*)?$/;

export class Painter {
  constructor() {
    this.rest = "";
    this.style = { f: null, g: null, on: new Set() };
  }

  // The nodes of a piece of text. Pieces may be cut anywhere.
  paint(piece) {
    const fragment = document.createDocumentFragment();
    let text = this.rest + piece;
    const begun = BEGUN.exec(text);
    this.rest = begun && begun[0].length < 1000 ? begun[0] : "";
    if (this.rest) text = text.slice(0, begun.index);
    let from = 0;
    for (const match of text.matchAll(STEERING)) {
      this.add(fragment, text.slice(from, match.index));
      from = match.index + match[0].length;
      if (match[2] === "m") this.apply(match[1]);
    }
    this.add(fragment, text.slice(from));
    return fragment;
  }

  add(fragment, text) {
    if (!text) return;
    const shown = text.replaceAll("\r\n", "\n").replaceAll("\r", "\n");
    const { f, g, on } = this.style;
    const names = [...on, ...(f === null ? [] : [`f${f}`]), ...(g === null ? [] : [`g${g}`])];
    if (!names.length) return void fragment.append(shown);
    const span = document.createElement("span");
    span.className = names.join(" ");
    span.textContent = shown;
    fragment.append(span);
  }

  apply(said) {
    const { style } = this;
    const codes = said.split(";").map(Number);
    for (let at = 0; at < codes.length; at += 1) {
      const code = codes[at];
      if (code === 0) Object.assign(style, { f: null, g: null, on: new Set() });
      else if (code === 1) style.on.add("b");
      else if (code === 2) style.on.add("d");
      else if (code === 3) style.on.add("i");
      else if (code === 4) style.on.add("u");
      else if (code === 22) ["b", "d"].forEach((each) => style.on.delete(each));
      else if (code === 23) style.on.delete("i");
      else if (code === 24) style.on.delete("u");
      else if (code === 39) style.f = null;
      else if (code === 49) style.g = null;
      else if (code >= 30 && code <= 37) style.f = code - 30;
      else if (code >= 40 && code <= 47) style.g = code - 40;
      else if (code >= 90 && code <= 97) style.f = code - 90;
      else if (code >= 100 && code <= 107) style.g = code - 100;
      else if (code === 38 || code === 48) {
        // Of 256 colours the first 16 are those above; others are as plain text.
        const number = codes[at + 1] === 5 && codes[at + 2] < 16 ? codes[at + 2] % 8 : null;
        style[code === 38 ? "f" : "g"] = number;
        at += codes[at + 1] === 5 ? 2 : codes[at + 1] === 2 ? 4 : 0;
      }
    }
  }
}
