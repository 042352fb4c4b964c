/** A promise that a test resolves or rejects. */
export interface Deferred<Answer> {
  promise: Promise<Answer>;
  resolve: (answer: Answer) => void;
  reject: (error: Error) => void;
}

export function deferred<Answer>(): Deferred<Answer> {
  const made: Partial<Deferred<Answer>> = {};
  const promise = new Promise<Answer>((resolve, reject) => {
    made.resolve = resolve;
    made.reject = reject;
  });
  return { ...made, promise } as Deferred<Answer>;
}
