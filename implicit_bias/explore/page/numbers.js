// Numbers as texts.

const SUPERSCRIPTS = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
export const power = (k) => (k === 0 ? "1" : "10" + [...String(k)].map((c) => SUPERSCRIPTS[c]).join(""));

// A number to some digits, with a power of ten where it is small or large.
export function short(value, digits = 4) {
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-3 && size < 1e5)) return String(Number(value.toPrecision(digits))).replace("-", "−");
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
  return `${String(Number(mantissa)).replace("-", "−")}·${power(Number(exponent))}`;
}

// A distance, as one reads it.
export const distance = (value) => (value > 0 ? short(value, value < 1e-3 ? 1 : 2) : "rounding");

// Some round values between two ends with their texts. Where they differ too little to be told apart by a few digits, the
// first has its text and the others what they exceed it by.
export function ticks([low, high], count) {
  const raw = (high - low) / count, unit = 10 ** Math.floor(Math.log10(raw));
  const step = unit * [1, 2, 2.5, 5, 10].find((f) => f * unit >= raw * (1 - 1e-9));
  const first = Math.ceil(low / step - 1e-9), last = Math.floor(high / step + 1e-9);
  const values = Array.from({ length: last - first + 1 }, (_, k) => (first + k) * step);
  const largest = Math.max(...values.map(Math.abs), 0), exponent = largest > 0 ? Math.floor(Math.log10(largest) + 1e-9) : 0;
  const shift = Math.abs(exponent) > 3 ? exponent : 0, size = step / 10 ** shift;
  let digits = Math.max(0, -Math.floor(Math.log10(size) + 1e-9));
  if (Math.abs(size * 10 ** digits - Math.round(size * 10 ** digits)) > 1e-6) digits += 1;
  if (digits > 3) return values.map((value, k) => [value, k ? `+${short(k * step, 2)}` : short(value)]);
  return values.map((value) => {
    const text = (value / 10 ** shift).toFixed(digits).replace("-", "−");
    return [value, shift && value ? `${text}·${power(shift)}` : text];
  });
}

export const powersBetween = ([low, high], most) => {
  const every = Math.max(1, Math.ceil((high - low) / most)), found = [];
  for (let k = Math.ceil(low - 1e-9); k <= high + 1e-9; k += 1) if (k % every === 0) found.push([k, power(k)]);
  return found;
};
