/**
 * Names for containers that nobody named: an adjective and a thing from a harbour, so that a list of
 * them can be read aloud. Some five thousand pairs; the caller tries another when one is taken.
 */

const ADJECTIVES = `
  able agile amber ample azure balmy bold brave breezy bright brisk calm candid cheery civil clever
  coral cosy crisp deft eager early fair fleet fond frank fresh gentle glad golden grand hardy hasty
  honest humble ivory jolly keen kind lively loyal lucid mellow merry mild modest neat nimble noble
  olive patient placid plucky polite proud quick quiet ready robust ruby serene sharp
`
  .trim()
  .split(/\s+/);

const THINGS = `
  anchor atoll ballast barge barque basin bay beacon berth bollard boom bow breaker bridge brig buoy
  cabin cable canal canoe capstan cargo chart clipper coast cockle compass coral cove crab crane crest
  current cutter davit deck delta dinghy dock dolphin drift eddy estuary ferry fjord flag fleet fog
  galley gangway gull gust halyard hammock harbour hatch haven hawser headland helm heron hull inlet
  island jetty keel kelp ketch knot lagoon lantern ledger lighthouse lock lugger mainsail marina mast
  mooring oar pelican pennant pier pilot porthole quay raft reef
`
  .trim()
  .split(/\s+/);

export function randomName(): string {
  return `${pick(ADJECTIVES)}_${pick(THINGS)}`;
}

/** A name is no secret, and one that is taken is drawn again. */
function pick(words: readonly string[]): string {
  return words[Math.floor(Math.random() * words.length)] ?? "";
}
