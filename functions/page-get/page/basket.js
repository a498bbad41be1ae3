// What the visitor wants to buy: products and quantities, kept in this browser and shared by its tabs.
import { Store, remember } from '/page/view.js';

const NAME = 'souk.basket';
const kept = remember(localStorage, NAME);
const MOST = 10000;

const valid = (lines) => (Array.isArray(lines) ? lines : []).filter(
  (line) => typeof line?.productId === 'string' && Number.isInteger(line.quantity) && line.quantity > 0,
);

/** Lines of `{productId, quantity, name}`. The name is that of the product when it was put in, which may be withdrawn since. */
export const basket = new Store(valid(kept.read()));

addEventListener('storage', ({ key }) => {
  if (key === NAME || key === null) basket.set(valid(kept.read()));
});

/** Whether these are the lines that all tabs have; if not, this one takes theirs. */
export function isCurrent(lines) {
  const stored = valid(kept.read());
  if (JSON.stringify(stored) === JSON.stringify(lines)) return true;
  basket.set(stored);
  return false;
}

function change(lines) {
  kept.write(lines.length ? lines : null);
  basket.set(lines);
}

export function put(productId, quantity, name) {
  const others = basket.value.filter((line) => line.productId !== productId);
  const before = basket.value.findIndex((line) => line.productId === productId);
  const line = { ...basket.value[before], productId, quantity: Math.min(quantity, MOST), ...(name && { name }) };
  if (quantity < 1) change(others);
  else if (before < 0) change([...others, line]);
  else change(basket.value.with(before, line));
}

export const add = ({ productId, name }, quantity) =>
  put(productId, quantity + (basket.value.find((line) => line.productId === productId)?.quantity ?? 0), name);

/** Takes out what was ordered. */
export const takeOut = (productIds) => change(basket.value.filter((line) => !productIds.includes(line.productId)));
