/* Two words for the page's elements. */

export const element = (id) => document.getElementById(id);

export function button(text, action) {
  const made = document.createElement('button');
  made.type = 'button';
  made.textContent = text;
  made.addEventListener('click', action);
  return made;
}
