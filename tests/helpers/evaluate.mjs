// Evaluates functions that come as lines of JSON on the standard input, one after another, and answers each with a line.
// `import("/name.mjs")` in them loads web/lib/name.mjs.

import { createInterface } from "node:readline";

const library = new URL("../../web/lib/", import.meta.url);

for await (const line of createInterface({ input: process.stdin })) {
    const { source, argument } = JSON.parse(line);
    let answer;
    try {
        const text = source.replaceAll(/import\((["'])\/(.+?)\1\)/g, (_, quote, name) => `import("${new URL(name, library)}")`);
        answer = { value: (await (0, eval)(`(${text})`)(argument)) ?? null };
    } catch (problem) {
        answer = { problem: String(problem?.stack ?? problem) };
    }
    process.stdout.write(`${JSON.stringify(answer)}\n`);
}
