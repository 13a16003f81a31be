/** What people are told of the office. */
import { type Problem, problem } from '../../schemas/problem.ts';
import { type Claim, type Effect, type Office, officeBeat } from './office.ts';

const place = ({ by, url }: Claim): string => `${by} at ${url}`;
const patience = `${(3 * officeBeat) / 1000} s`;

/** Why this reconciler does nothing. */
export function standby({ holder }: Pick<Office, 'holder'>): Problem {
  const details = { severity: 'warning', disposition: 'wait', subject: 'cluster' } as const;
  if (!holder) {
    const message = `waits until the broker answers, and ${patience} for a word of another reconciler, before it runs`;
    return problem('STANDBY', message, details);
  }
  const message = `another reconciler (${place(holder)}) runs this cluster; this one takes over when that is silent for ${patience}`;
  return problem('STANDBY', message, { ...details, hint: 'send changes to that one; stop it to hand over' });
}

/** The answer to a change that is asked of one that stands by. */
export function refusal(office: Pick<Office, 'holder'>): Problem {
  const { message, hint } = standby(office);
  const details = { disposition: 'retry', ...(hint !== undefined && { hint }) } as const;
  return problem('UNAVAILABLE', `changes are not taken here: ${message}`, details);
}

/** Two clusters of one name on one broker. */
export function otherKey(claim: Claim): Problem {
  const message = `a reconciler with another key (${place(claim)}) uses the name of this cluster on this broker`;
  const hint = 'give one of the two clusters another name, or a broker of its own';
  return problem('RIVAL_RECONCILER', message, { severity: 'warning', subject: 'cluster', hint });
}

/** Why this process ends. */
export function rivalProblem({ why, claim }: Extract<Effect, { kind: 'end' }>): Problem {
  if (why === 'key') {
    const { severity: _warning, ...told } = otherKey(claim);
    return told;
  }
  const [message, hint] =
    why === 'running'
      ? [`another reconciler (${place(claim)}) runs this cluster by now`, 'start this one again: it stands by']
      : [
          `another reconciler (${place(claim)}) takes turns with this one as \`${claim.user}\` at the broker`,
          'give one of them a user of its own: `oakctl broker config --reconciler`, and `mqtt.username` in cluster.yaml',
        ];
  return problem('RIVAL_RECONCILER', message, { subject: 'cluster', hint });
}
