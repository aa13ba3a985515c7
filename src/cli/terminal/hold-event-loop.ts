/**
 * Keeps the process alive until disposed. Our timers do not (src/base/clock.ts), so a command that only waits would exit.
 */
export function holdEventLoop(): Disposable {
  const { port1 } = new MessageChannel();
  port1.ref();
  return { [Symbol.dispose]: () => port1.close() };
}
