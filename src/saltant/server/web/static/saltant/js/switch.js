// The switch between light, dark and what the system says.
const root = document.documentElement;
const buttons = document.querySelectorAll("button[data-theme-choice]");

function show() {
  const now = root.dataset.theme ?? "system";
  for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.themeChoice === now));
}

for (const button of buttons) {
  button.addEventListener("click", () => {
    const choice = button.dataset.themeChoice;
    if (choice === "system") delete root.dataset.theme;
    else root.dataset.theme = choice;
    try {
      if (choice === "system") localStorage.removeItem("saltant-theme");
      else localStorage.setItem("saltant-theme", choice);
    } catch {
      // It holds for this page, then.
    }
    show();
  });
}
show();
