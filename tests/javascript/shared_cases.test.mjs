// The cases that Python and JavaScript share, in JavaScript alone: node --test tests/javascript/*.test.mjs
// What a case holds is said in tests/helpers/rig_cases.py and meter_cases.py, which judge in the same way.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { measure } from "../../web/lib/meter.mjs";
import { bake, frameCount, parseRig } from "../../web/lib/rig.mjs";

const FOLDER = new URL("../shared_cases/", import.meta.url);
const RIG_TOLERANCE = 1e-9; // of a metre, or of the number where it is larger than 1
const METER_TOLERANCE = 1e-6; // metres, degrees; a case may have its own

function documentsIn(kind) {
    const names = readdirSync(new URL(`${kind}/`, FOLDER)).filter((name) => name.endsWith(".json"));
    return names.sort().map((name) => [name, JSON.parse(readFileSync(new URL(`${kind}/${name}`, FOLDER), "utf8"))]);
}

function textOf({ text, rig }) {
    return text ?? JSON.stringify(rig);
}

function agree(given, expected, place) {
    assert.equal(given.length, expected.length, place);
    expected.forEach((number, index) => {
        const off = Math.abs(given[index] - number) / Math.max(1, Math.abs(number));
        assert.ok(off <= RIG_TOLERANCE, `${place}, number ${index}: off by ${off}`);
    });
}

// Whether a text is a rig at all is judged by the pack's route; see tests/server/test_rig_routes.py.
for (const [, { accepted = [] }] of documentsIn("rig")) {
    for (const wanted of accepted) {
        test(`accepted: ${wanted.name}`, () => {
            const doc = parseRig(textOf(wanted));
            const { views, frames, c2w } = bake(doc);
            assert.deepEqual([views, frames, frameCount(doc)], [wanted.c2w.length, wanted.frames, wanted.frames]);
            for (const [key, of] of Object.entries({ names: "name", colors: "color", lenses: "lens" })) {
                if (key in wanted) assert.deepEqual(doc.cameras.map((camera) => camera[of]), wanted[key]);
            }
            wanted.c2w.forEach((poses, view) => {
                for (const [frame, rows] of Object.entries(poses)) {
                    const begin = 16 * (view * frames + Number(frame));
                    agree([...c2w.slice(begin, begin + 12)], rows.flat(), `camera ${view}, frame ${frame}`);
                    assert.deepEqual([...c2w.slice(begin + 12, begin + 16)], [0, 0, 0, 1]);
                }
            });
        });
    }
}

// Objects may hold more than is expected; lists have the same length; numbers agree within the tolerance.
function match(answer, expected, tolerance, place) {
    if (Array.isArray(expected)) {
        assert.equal(answer.length, expected.length, place);
        expected.forEach((value, index) => match(answer[index], value, tolerance, `${place}[${index}]`));
    } else if (expected !== null && typeof expected === "object") {
        for (const [key, value] of Object.entries(expected)) match(answer[key], value, tolerance, `${place}.${key}`);
    } else if (typeof expected === "number") {
        assert.ok(Math.abs(answer - expected) <= tolerance, `${place}: ${answer} is not ${expected}`);
    } else {
        assert.equal(answer, expected, place);
    }
}

for (const [name, { rig, expected, verdicts = {}, tolerance = METER_TOLERANCE }] of documentsIn("meter")) {
    test(`meter: ${name}`, () => {
        const doc = parseRig(JSON.stringify(rig));
        const cameras = doc.cameras;
        const answer = measure(bake(doc), cameras.map(({ lens }) => lens), cameras.map((camera) => camera.name));
        const { trained_pairs: trained, ...rest } = expected;
        if (trained !== undefined) {
            assert.equal(2 * answer.pairs.filter(({ verdict }) => verdict === "inside").length, trained);
        }
        const named = ({ first, second }) => `${answer.views[first].name} ${answer.views[second].name}`;
        const pairs = Object.fromEntries(answer.pairs.map((pair) => [named(pair), pair.verdict]));
        for (const [pair, verdict] of Object.entries(verdicts)) assert.equal(pairs[pair], verdict, pair);
        match(answer, rest, tolerance, "meter");
    });
}
