// <select id="kind"> shows what is for the chosen kind: everything with data-kinds="docker singularity" is for these.
const choice = document.getElementById("kind");

function show() {
  for (const part of document.querySelectorAll("[data-kinds]")) {
    part.hidden = !part.dataset.kinds.split(" ").includes(choice.value);
  }
}

if (choice?.matches("select")) {
  choice.addEventListener("change", show);
  addEventListener("pageshow", show);
  show();
}
