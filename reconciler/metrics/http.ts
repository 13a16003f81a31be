/** The API about itself. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { ListenerMeter } from '../api/routes/follow.ts';

export interface HttpMeter extends ListenerMeter {
  /** `route`: as it is declared; undefined for what the API has not. `ms` undefined: an answer that lasts as long as its reader stays, or that nobody waited for. */
  answered(request: {
    readonly method: string;
    readonly route: string | undefined;
    readonly status: number;
    readonly ms: number | undefined;
  }): void;
}

export function createHttpMeter(registers: Registry[]): HttpMeter {
  const requests = new Counter({
    name: 'oakctl_http_requests_total',
    help: 'Requests by the status of their answer. 499: whoever asked hung up before he had it whole.',
    labelNames: ['method', 'route', 'status'],
    registers,
  });
  const durations = new Histogram({
    name: 'oakctl_http_request_duration_seconds',
    help: 'Time until a request was answered, but for answers without an end.',
    labelNames: ['route'],
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30],
    registers,
  });
  const listeners = new Gauge({
    name: 'oakctl_event_listeners',
    help: 'Readers of the event stream.',
    registers,
  });
  const dropped = new Counter({
    name: 'oakctl_event_listeners_dropped_total',
    help: 'Readers of the event stream that were cut off because they did not read.',
    registers,
  });
  return {
    listening: (count) => listeners.set(count),
    dropped: () => dropped.inc(),
    answered({ method, route = 'none', status, ms }) {
      requests.inc({ method: route === 'none' ? 'any' : method, route, status });
      if (ms !== undefined) durations.observe({ route }, ms / 1000);
    },
  };
}
