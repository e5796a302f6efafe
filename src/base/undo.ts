import { faultPoint } from "./fault.ts";

/**
 * The undo stack: every acquisition registers its undo on the next line.
 *
 *     using undo = new UndoStack();
 *     mkdirSync(dir); undo.defer(() => rmdirSync(dir));
 *     …
 *     undo.keep();   // all went well: nothing is undone
 *
 * Undos run last in, first out. All of them run even if one throws; what they threw is then
 * thrown together, because an undo that failed means that something was left behind.
 */
export class UndoStack implements Disposable, AsyncDisposable {
  #undos: (() => void | Promise<void>)[] = [];

  defer(undo: () => void | Promise<void>): void {
    this.#undos.push(undo);
    faultPoint();
  }

  keep(): void {
    this.#undos = [];
  }

  [Symbol.dispose](): void {
    const failures: unknown[] = [];
    for (let undo = this.#undos.pop(); undo; undo = this.#undos.pop()) {
      faultPoint();
      try {
        if (undo() instanceof Promise)
          failures.push(new Error("an asynchronous undo needs `await using`"));
      } catch (error) {
        failures.push(error);
      }
    }
    throwTogether(failures);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const failures: unknown[] = [];
    for (let undo = this.#undos.pop(); undo; undo = this.#undos.pop()) {
      faultPoint();
      try {
        await undo();
      } catch (error) {
        failures.push(error);
      }
    }
    throwTogether(failures);
  }
}

function throwTogether(failures: readonly unknown[]): void {
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new AggregateError(failures, "several undo steps failed");
}
