// htmx's requests carry the token that forms carry.
document.addEventListener("htmx:configRequest", (event) => {
  const token = document.querySelector('meta[name="csrf-token"]')?.content;
  if (token && event.detail.verb !== "get") event.detail.headers["X-CSRFToken"] = token;
  // Addresses say what is asked for, and nothing of the fields that are empty.
  if (event.detail.verb === "get") {
    const { formData } = event.detail;
    for (const name of [...new Set(formData?.keys() ?? [])]) {
      const given = formData.getAll(name).filter((each) => each !== "");
      formData.delete(name);
      for (const each of given) formData.append(name, each);
    }
  }
});

// Somebody who was signed out meanwhile gets the sign-in page as a whole, not within a table.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr } = event.detail;
  if (new URL(xhr.responseURL || location.href).pathname.startsWith("/login")) {
    event.detail.shouldSwap = false;
    location.reload();
  }
});
