() => {
  // Each tab that is opened is a step of the browser's history, and a reload opens it again.
  const button = (tab) => document.querySelector(`#tab-${tab}-button`);
  const named = new URLSearchParams(location.search).get("tab");
  const before = history.state?.tab;
  history.replaceState({ tab: before ?? (named && button(named) ? named : "maps") }, "");
  if (before && !named) button(before)?.click();
  addEventListener("popstate", ({ state }) => state?.tab && button(state.tab)?.click());
}
