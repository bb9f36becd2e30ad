/**
 * Where the official sources disagree or say nothing, and a client could depend on it.
 *
 * The default is our best guess; a test that must hold either way runs with both.
 */
export interface Behaviour {
  /** Order of operations in one patch: as `@sanity/mutator` has it, or as the docs list it. */
  patchOrder: 'mutator' | 'docs';
  /** `inc`/`dec` where there is no number: skipped (mutator, SDK) or refused (docs). */
  incMissing: 'skip' | 'refuse';
  /** What a second `ifRevisionID` on a document meets: the transaction's id, or what is stored. */
  secondGuard: 'working' | 'stored';
}

export const DEFAULT_BEHAVIOUR: Behaviour = {
  patchOrder: 'mutator',
  incMissing: 'skip',
  secondGuard: 'working',
};
