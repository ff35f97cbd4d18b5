() => {
  // The first visit follows the browser's language; the switch is remembered by this browser alone, and takes along
  // the link's view and the photo.
  const here = document.querySelector("#languages [aria-current]");
  if (!here) return;
  document.documentElement.lang = here.lang;
  document.title = document.querySelector("#heading h1")?.textContent || document.title;
  const set = (storage, name, value) => { try { storage.setItem(name, value); } catch {} };
  const get = (storage, name) => { try { return storage.getItem(name); } catch { return null; } };
  const photo = () => {
    const address = document.querySelector("#photo img[src]")?.src;
    return address?.startsWith(location.origin) ? address : null; // not while it is still on its way
  };

  for (const link of document.querySelectorAll("#languages a")) {
    const route = link.href;
    link.href = route + location.search;
    link.addEventListener("click", (event) => {
      set(localStorage, "resnet-language", link.lang);
      const query = new URLSearchParams(location.search);
      if (photo() && !(event.ctrlKey || event.metaKey || event.shiftKey)) {
        set(sessionStorage, "resnet-photo", `${Date.now()} ${photo()}`);
        query.delete("photo"); // the example that the link began with, which may be another by now
      }
      link.href = route + (query.size ? `?${query}` : "");
    });
  }
  const wanted = get(localStorage, "resnet-language") || navigator.language.slice(0, 2).toLowerCase();
  const other = document.querySelector(`#languages a[lang="${wanted}"]:not([aria-current])`);
  if (other && !here.dataset.route) return location.replace(other.href);

  const [time, kept] = (get(sessionStorage, "resnet-photo") || "").split(" ");
  try { sessionStorage.removeItem("resnet-photo"); } catch {}
  const field = document.querySelector("#photo input[type=file]");
  if (!kept || !field || Date.now() - time > 30000) return;
  fetch(kept).then(async (answer) => {
    if (!answer.ok || photo()) return; // it is gone, or there is another by now
    const files = new DataTransfer();
    const name = decodeURIComponent(new URL(kept).pathname.split("/").pop());
    const content = await answer.blob();
    const type = content.type.startsWith("image/") ? content.type : "image/*"; // Gradio serves some as mere bytes
    files.items.add(new File([content], name, { type }));
    field.files = files.files;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  }).catch(() => {});
}
