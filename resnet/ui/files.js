() => {
  // Photos on their way into a photo field. Gradio asks the browser what a file is, and few browsers know HEIC and some
  // older suffixes: what is a picture by its name is said to be one. What is no picture is found out by the server.
  const FIELDS = "#photo, #other-photo, #elsewhere-photo";
  const SUFFIX = /\.(heic|heif|hif|avif|jfif|pjpeg|jpe|mpo|apng|dib|tiff?)$/i;
  const isKnown = (file) => file.type.startsWith("image/") || !SUFFIX.test(file.name);
  // A photo of the visitor's own is never replaced by an example that was asked for before, see photo.py.
  const note = (target) => target.closest?.("#photo")?.setAttribute("data-own", "");
  const give = (input, files) => {
    const list = new DataTransfer();
    for (const file of files) list.items.add(isKnown(file) ? file : new File([file], file.name, { type: "image/heic" }));
    input.files = list.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };
  // Once an example has come, the dialog that was opened before belongs to a field that is no more.
  document.addEventListener("click", (event) => event.target.type === "file" && note(event.target), true);
  document.addEventListener("cancel", ({ target }) => target.closest?.("#photo")?.removeAttribute("data-own"), true);
  document.addEventListener("change", (event) => {
    const input = event.target;
    if (input.type === "file") note(input);
    if (input.type !== "file" || !input.closest(FIELDS) || [...input.files].every(isKnown)) return;
    event.stopImmediatePropagation();
    give(input, [...input.files]);
  }, true);
  document.addEventListener("drop", (event) => {
    note(event.target);
    const input = event.target.closest?.(FIELDS)?.querySelector("input[type=file]");
    const files = [...event.dataTransfer?.files ?? []];
    if (!input || files.every(isKnown)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    give(input, files);
  }, true);
  // Ctrl+V anywhere but in a text puts the picture of the clipboard into the photo field.
  document.addEventListener("paste", (event) => {
    if (event.target.closest?.("input, textarea, [contenteditable]")) return;
    const picture = [...event.clipboardData?.files ?? []].find((file) => file.type.startsWith("image/") || !isKnown(file));
    const input = document.querySelector("#photo input[type=file]");
    if (!picture || !input) return;
    event.preventDefault();
    give(input, [picture]);
  });
}
