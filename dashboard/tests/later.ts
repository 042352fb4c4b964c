/** An answer that comes when a test says so. */
export interface Later<Answer> {
  promise: Promise<Answer>;
  resolve: (answer: Answer) => void;
  reject: (error: Error) => void;
}

export function later<Answer>(): Later<Answer> {
  const made: Partial<Later<Answer>> = {};
  const promise = new Promise<Answer>((resolve, reject) => {
    made.resolve = resolve;
    made.reject = reject;
  });
  return { ...made, promise } as Later<Answer>;
}
