// JSON as people and other programs hand it in: bounded, strict, and refused with sentences.
// The same reader as syncam_core/cameras/json_text.py; JSON.parse would take a repeated key and hide where NaN stands.

const MAX_DEPTH = 1000; // of the reader itself; what may be nested is decided by those who read the value
const SPACE = " \\t-\\r\\x1c-\\x1f\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const BLANK = new RegExp(`^[${SPACE}]*$`); // what Python's str.strip() removes
const NUMBER = /(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const WHITESPACE = /[ \t\n\r]*/y;
const ESCAPES = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };
const WORDS = [
  ["null", null],
  ["true", true],
  ["false", false],
  ["NaN", NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
];

// The value of a JSON text: objects as Map, integers that a number cannot hold exactly as BigInt.
// NaN, Infinity and numbers too large for a float are read as such, for the caller to refuse by their place.
export function parseJson(given, maxCharacters) {
  if (typeof given !== "string") throw new Error("what was given is not text; JSON is needed.");
  if (given.length > maxCharacters) {
    const characters = given.length > 2 * maxCharacters ? given.length : lengthOf(given);
    if (characters > maxCharacters) {
      throw new Error(`the text has ${characters} characters, but at most ${maxCharacters} are read.`);
    }
  }
  const text = given.startsWith("\ufeff") ? given.slice(1) : given;
  if (isBlank(text)) throw new Error("the text is empty; JSON is needed.");

  let at = 0;
  let depth = 0;

  function skip() {
    WHITESPACE.lastIndex = at;
    WHITESPACE.exec(text);
    at = WHITESPACE.lastIndex;
  }

  function value() {
    const first = text[at];
    if (first === '"') return string();
    if (first === "{" || first === "[") {
      if (++depth > MAX_DEPTH) throw new Error("the text is nested too deeply to be read.");
      const read = first === "{" ? object() : list();
      depth -= 1;
      return read;
    }
    for (const [word, meaning] of WORDS) {
      if (text.startsWith(word, at)) {
        at += word.length;
        return meaning;
      }
    }
    NUMBER.lastIndex = at;
    const match = NUMBER.exec(text);
    if (!match) throw notJson("a value is missing or is not written as JSON", at);
    at = NUMBER.lastIndex;
    return match[2] || match[3] ? Number(match[0]) : integer(match[1]);
  }

  function object() {
    const read = new Map();
    const twice = new Set();
    at += 1;
    skip();
    while (text[at] !== "}" || read.size) {
      if (text[at] !== '"') throw notJson("a key in double quotes is expected", at);
      const key = string();
      skip();
      if (text[at] !== ":") throw notJson("a colon is missing", at);
      at += 1;
      skip();
      const item = value();
      if (read.has(key)) twice.add(key);
      read.set(key, item);
      skip();
      if (text[at] === "}") break;
      if (text[at] !== ",") throw notJson("a comma or a closing bracket is missing", at);
      at += 1;
      skip();
    }
    at += 1;
    if (twice.size) {
      const key = [...read.keys()].find((one) => twice.has(one));
      throw new Error(`the key ${quoted(key, 60)} stands twice in one object; leave one out.`);
    }
    return read;
  }

  function list() {
    const read = [];
    at += 1;
    skip();
    while (text[at] !== "]" || read.length) {
      read.push(value());
      skip();
      if (text[at] === "]") break;
      if (text[at] !== ",") throw notJson("a comma or a closing bracket is missing", at);
      at += 1;
      skip();
    }
    at += 1;
    return read;
  }

  function string() {
    const start = at;
    at += 1;
    let read = "";
    for (;;) {
      PLAIN.lastIndex = at;
      read += PLAIN.exec(text)[0];
      at = PLAIN.lastIndex;
      if (at >= text.length) throw notJson("a closing double quote is missing", start);
      if (text[at] === '"') break;
      if (text[at] !== "\\") throw notJson("a line break or control character stands inside a text", at);
      const escape = text[at + 1];
      if (escape === undefined) throw notJson("a closing double quote is missing", start);
      if (escape === "u") {
        const digits = text.slice(at + 2, at + 6);
        if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw notJson("it cannot be read", at + 1);
        read += String.fromCharCode(parseInt(digits, 16));
        at += 6;
      } else if (Object.hasOwn(ESCAPES, escape)) {
        read += ESCAPES[escape];
        at += 2;
      } else {
        throw notJson("it cannot be read", at);
      }
    }
    at += 1;
    return read;
  }

  function notJson(why, position) {
    const before = text.slice(0, position).split("\n");
    const column = lengthOf(before.at(-1)) + 1;
    const near = [...text.slice(position, position + 40)].slice(0, 20).join("").split("\n")[0];
    const shown = isBlank(near) ? "." : `, near ${quoted(near)}.`;
    return new Error(`the text is not JSON: ${why} at line ${before.length}, column ${column}${shown}`);
  }

  skip();
  const document = value();
  skip();
  if (at < text.length) throw notJson("something stands after the end", at);
  return document;
}

// A text as a sentence quotes it, cut after `most` characters.
export function quoted(text, most = Infinity) {
  const cut = lengthOf(text) > most ? [...text].slice(0, most).join("") : text;
  const quote = cut.includes("'") && !cut.includes('"') ? '"' : "'";
  const named = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "'": quote === "'" ? "\\'" : "'" };
  return quote + cut.replace(/[\\']|(?! )[\p{C}\p{Z}]/gu, (one) => named[one] ?? escaped(one)) + quote;
}

function escaped(character) {
  const code = character.codePointAt(0).toString(16);
  if (code.length <= 2) return `\\x${code.padStart(2, "0")}`;
  return code.length <= 4 ? `\\u${code.padStart(4, "0")}` : `\\U${code.padStart(8, "0")}`;
}

// The number of characters of a text, as Python counts them: a surrogate pair is one.
export function lengthOf(text) {
  let pairs = 0;
  for (let index = 0; index + 1 < text.length; index++) {
    const pair = (text.charCodeAt(index) & 0xfc00) === 0xd800 && (text.charCodeAt(index + 1) & 0xfc00) === 0xdc00;
    if (pair) {
      pairs += 1;
      index += 1;
    }
  }
  return text.length - pairs;
}

export function isBlank(text) {
  return BLANK.test(text);
}

function integer(digits) {
  if (digits.length > 310) return digits.startsWith("-") ? -Infinity : Infinity;
  const number = Number(digits);
  if (Number.isSafeInteger(number)) return number + 0; // -0 written without a point is 0
  return Number.isFinite(number) ? BigInt(digits) : number;
}
