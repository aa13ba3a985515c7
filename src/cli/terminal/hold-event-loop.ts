/** No timer of ours keeps the process alive (src/base/clock.ts), and a command that only waits has no socket either. */
export function holdEventLoop(): Disposable {
  const { port1 } = new MessageChannel();
  port1.ref();
  return { [Symbol.dispose]: () => port1.close() };
}
