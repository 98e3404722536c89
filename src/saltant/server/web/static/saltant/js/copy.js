// <button class="copy" data-copies="ID"> puts the text of the element with that id on the clipboard.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copies]");
  if (!button) return;
  const text = document.getElementById(button.dataset.copies)?.textContent ?? "";
  const label = button.dataset.label ?? (button.dataset.label = button.textContent);
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    // Plain HTTP has no clipboard: mark the text, so that the keyboard copies it.
    const range = document.createRange();
    range.selectNodeContents(document.getElementById(button.dataset.copies));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    button.textContent = "Marked";
  }
  setTimeout(() => { button.textContent = label; }, 1500);
});
