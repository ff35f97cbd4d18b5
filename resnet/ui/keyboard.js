() => {
  // Gradio's lists open again when the keyboard leaves them: they are closed as a visitor would, by Escape.
  document.addEventListener("focusout", ({ target }) => {
    if (!target.matches("[role=combobox]")) return;
    setTimeout(() => {
      if (document.activeElement === target || target.getAttribute("aria-expanded") !== "true") return;
      target.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
    }, 250); // a click on the list takes the focus, too, and chooses first
  });
}
