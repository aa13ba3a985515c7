/** Why addresses could not be listened on. libp2p merges these errors into one sentence, so they are caught at the transport. */
import type { Transport } from "@libp2p/interface";
import { messageOf, PartnerdError } from "../../base/errors.ts";

interface ListenFailure {
  readonly address: string;
  readonly error: unknown;
}

export class ListenFailures {
  readonly #failures: ListenFailure[] = [];

  /** Remembers each address on which a listener of `transport` fails. Patches the transport and returns it. */
  watch<Watched extends Transport>(transport: Watched): Watched {
    const createListener = transport.createListener.bind(transport);
    transport.createListener = (options) => {
      const listener = createListener(options);
      const listen = listener.listen.bind(listener);
      listener.listen = async (address) => {
        try {
          await listen(address);
        } catch (error) {
          this.#failures.push({ address: address.toString(), error });
          throw error;
        }
      };
      return listener;
    };
    return transport;
  }

  /** `port_taken` or `listen_failed`, naming the multiaddrs that failed, or all of `listen` if libp2p failed before it tried any. */
  error(thrown: unknown, listen: readonly string[]): PartnerdError {
    const [first] = this.#failures;
    const addresses = (first === undefined ? listen : this.#failures.map(({ address }) => address)).join(", ");
    if (this.#failures.some(({ error }) => (error as NodeJS.ErrnoException).code === "EADDRINUSE")) {
      return new PartnerdError("port_taken", `cannot listen on ${addresses}: the port is taken`, {
        nextStep: "stop the process that uses it, or choose another port with --listen",
        cause: thrown,
      });
    }
    return new PartnerdError("listen_failed", `cannot listen on ${addresses}: ${messageOf(first?.error ?? thrown)}`, {
      nextStep: "check that this machine has the address, or choose another with --listen",
      cause: thrown,
    });
  }
}
