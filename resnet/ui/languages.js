() => {
  // The first visit follows the browser's language; the switch is remembered by this browser alone, and keeps the
  // view that the address names.
  const here = document.querySelector("#languages [aria-current]");
  if (!here) return;
  document.documentElement.lang = here.lang;
  document.title = document.querySelector("#heading h1")?.textContent || document.title;
  const remember = (language) => { try { localStorage.setItem("resnet-language", language); } catch {} };
  const remembered = () => { try { return localStorage.getItem("resnet-language"); } catch { return null; } };

  for (const link of document.querySelectorAll("#languages a")) {
    const route = link.href;
    link.href = route + location.search;
    link.addEventListener("click", () => {
      remember(link.lang);
      link.href = route + location.search;
    });
  }
  const wanted = remembered() || navigator.language.slice(0, 2).toLowerCase();
  const other = document.querySelector(`#languages a[lang="${wanted}"]:not([aria-current])`);
  if (other && !here.dataset.route) location.replace(other.href);
}
