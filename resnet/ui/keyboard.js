() => {
  // Tabs that do not fit stand in further rows (see style.css), for Gradio as buttons of a menu: here they are tabs as
  // well, and since Gradio gives the one that is chosen another place, the focus goes there with it.
  const tabs = document.querySelector("#tabs > .tab-wrapper");
  if (!tabs) return;
  const further = tabs.querySelector(".overflow-dropdown");
  const name = () => {
    further?.setAttribute("role", "tablist");
    for (const button of further?.querySelectorAll("button") ?? []) {
      button.setAttribute("role", "tab");
      button.setAttribute("aria-selected", button.classList.contains("selected"));
    }
  };
  name();
  new MutationObserver(name).observe(tabs, { childList: true, subtree: true, attributeFilter: ["class"] });
  further?.addEventListener("click", () => setTimeout(() => {
    tabs.querySelector("[role=tab][aria-selected=true]")?.focus();
  }, 100));

  // Gradio's lists open again when the keyboard leaves them.
  document.addEventListener("focusout", ({ target }) => {
    if (!target.matches("[role=combobox]")) return;
    setTimeout(() => {
      if (document.activeElement === target || target.getAttribute("aria-expanded") !== "true") return;
      target.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
    }, 250); // a click on the list takes the focus, too, and chooses first
  });
}
