const box = document.getElementById("filter"), items = [...document.querySelectorAll(".reports > li")];
box.closest(".filter").hidden = false;
box.addEventListener("input", () => {
  const words = box.value.toLowerCase().trim();
  for (const item of items) item.hidden = !item.textContent.toLowerCase().includes(words);
  for (const group of document.querySelectorAll("details.folded")) group.open = words !== "" && [...group.querySelectorAll("li")].some(item => !item.hidden);
  document.getElementById("none").hidden = items.some(item => !item.hidden);
});
