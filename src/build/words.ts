/**
 * Words as a Containerfile has them: separated by spaces, which quotes and the escape character keep
 * together. The quotes stay: expand.ts takes them off, for it must know what stood in which.
 */

export function splitWords(text: string, escapeChar: string): readonly string[] {
  const words: string[] = [];
  let word = "";
  let quote = "";
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at] ?? "";
    if (quote === "" && /\s/.test(char)) {
      if (word !== "") words.push(word);
      word = "";
      continue;
    }
    word += char;
    if (char === escapeChar && quote !== "'" && at + 1 < text.length) {
      at += 1;
      word += text[at];
    } else {
      quote = quoteAfter(quote, char);
    }
  }
  return word === "" ? words : [...words, word];
}

function quoteAfter(quote: string, char: string): string {
  if (quote !== "") return char === quote ? "" : quote;
  return char === '"' || char === "'" ? char : "";
}
