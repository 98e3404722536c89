// Picking many: what is picked stays so while the list is drawn anew, and is counted.
const picked = new Set();

function show() {
  const boxes = [...document.querySelectorAll('input[name="uuid"]')];
  for (const box of boxes) box.checked = picked.has(box.value);
  const count = boxes.filter((box) => box.checked).length;
  const all = document.querySelector("[data-pick-all]");
  if (all) {
    all.checked = count > 0 && count === boxes.length;
    all.indeterminate = count > 0 && count < boxes.length;
  }
  const said = document.querySelector("[data-picked]");
  const text = count ? `${count} picked` : "Pick some to do something with them";
  if (said && said.textContent !== text) said.textContent = text;
  document.querySelector(".picked")?.classList.toggle("none", !count);
}

document.addEventListener("change", (event) => {
  const box = event.target;
  if (box.matches?.("[data-pick-all]")) {
    for (const each of document.querySelectorAll('input[name="uuid"]')) picked[box.checked ? "add" : "delete"](each.value);
  } else if (box.matches?.('input[name="uuid"]')) {
    picked[box.checked ? "add" : "delete"](box.value);
  } else {
    return;
  }
  event.stopPropagation();
  show();
}, true);
document.addEventListener("htmx:afterSwap", show);
for (const box of document.querySelectorAll('input[name="uuid"]:checked')) picked.add(box.value);
show();
