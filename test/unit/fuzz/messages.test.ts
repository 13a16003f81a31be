/** Everything that comes over a wire: bodies, tokens, topics, frames, and the seeds' dialect. */
import * as bodies from '../../../schemas/api-bodies.ts';
import { ExecControl, ExecStart, parseFrame } from '../../../schemas/exec.ts';
import { parseJoinToken } from '../../../schemas/join-token.ts';
import * as messages from '../../../schemas/messages.ts';
import { parseMessage } from '../../../schemas/parse.ts';
import { isProblemError, problemCodes } from '../../../schemas/problem.ts';
import { RunSpecSchema } from '../../../schemas/run-spec.ts';
import {
  PlainControl,
  PlainJob,
  parsePlainControl,
  parseRegistration,
  parseSeedInformation,
  serviceOfJob,
} from '../../../schemas/seed.ts';
import { mayPublish, mayReceive, maySubscribe, parseTopic } from '../../../schemas/topics.ts';
import { campaign, type Outcome } from '../../support/fuzz/campaign.ts';
import { requireLawfulSpec, requireThat } from '../../support/fuzz/closed-type.ts';
import { fromSchema, someMood } from '../../support/fuzz/from-schema.ts';
import { mutateText, mutateValue, onTheWire } from '../../support/fuzz/mutate.ts';
import type { Dice } from '../../support/fuzz/random.ts';
import { someText } from '../../support/fuzz/values.ts';

/** All that the modules export: a new message is fuzzed from its first day. */
const schemas = Object.values({ ...messages, ...bodies, ExecStart, ExecControl, RunSpecSchema, PlainControl }).filter(
  (one) => typeof one === 'object',
);

campaign({
  name: 'messages and bodies of requests',
  share: 0.08,
  accepted: 0.1,
  one(dice) {
    const schema = dice.pick(schemas);
    const parsed = parseMessage(schema, onTheWire(fromSchema(schema, dice, someMood(dice)), dice));
    if (parsed.ok) return 'accepted';
    requireThat(parsed.problem.code in problemCodes && parsed.problem.message.length < 6_000, 'the problem is none');
    return 'refused';
  },
});

function frame(dice: Dice): Outcome {
  const bytes = Uint8Array.from({ length: dice.upTo(40) }, () => dice.upTo(256));
  if (bytes.length > 0 && dice.chance(0.7)) bytes[0] = dice.upTo(5);
  const text = new TextEncoder().encode(`\u0003${onTheWire(fromSchema(ExecControl, dice, someMood(dice)), dice)}`);
  return 'code' in parseFrame(dice.chance(0.5) ? bytes : text) ? 'refused' : 'accepted';
}

function joinToken(dice: Dice): Outcome {
  const good = `oak1.0123456789ab.${'s'.repeat(43)}.${'c'.repeat(32)}`;
  try {
    parseJoinToken(mutateText(good, dice));
    return 'accepted';
  } catch (error) {
    if (!isProblemError(error)) throw error;
    requireThat(!error.message.includes('s'.repeat(20)), 'the secret is told');
    return 'refused';
  }
}

function topicText(dice: Dice): Outcome {
  const id = 'a'.repeat(16);
  const steps = ['nodes', id, 'b'.repeat(16), '+', '#', 'controls', 'information', 'assignment', '0', '64', '$SYS', ''];
  const known = ['information', 'instances/0', 'online', 'controls', 'requests', 'assignment/0', 'assignment/+'];
  const text = dice.chance(0.3)
    ? `nodes/${dice.pick([id, 'b'.repeat(16), '+'])}/${dice.pick(known)}`
    : Array.from({ length: 1 + dice.upTo(5) }, () => dice.pick([...steps, someText(dice)])).join('/');
  const who = { kind: 'node', id } as const;
  for (const may of [mayPublish, maySubscribe, mayReceive])
    requireThat(!may(who, text) || text.startsWith(`nodes/${id}/`), `${may.name} ${text}`);
  requireThat(!(mayPublish(who, text) && mayReceive(who, text)), `speaks to itself on ${text}`);
  return parseTopic(text) ? 'accepted' : 'refused';
}

function registration(dice: Dice): Outcome {
  const good = { id: '', name: 'pi1', ip: '10.0.0.1', port: dice.pick([0, 1883, '8080', '']) };
  const parsed = parseRegistration(mutateValue(good, dice));
  if (!parsed.ok) return 'refused';
  const { port } = parsed.value;
  requireThat(Number.isInteger(port) && port >= 0 && port < 65_536, `port ${port}`);
  return 'accepted';
}

function seedInformation(dice: Dice): Outcome {
  const good = { cpu: dice.pick([1, '12.5', 1e9]), memory: dice.pick([3, '99', 101]) };
  const parsed = parseSeedInformation(onTheWire(good, dice));
  if (!parsed.ok) return 'refused';
  const { cpu, memory } = parsed.value;
  requireThat(Number.isFinite(cpu) && cpu >= 0 && memory >= 0 && memory <= 100, `cpu ${cpu}, memory ${memory}`);
  return 'accepted';
}

function plainControl(dice: Dice): Outcome {
  return parsePlainControl(onTheWire(fromSchema(PlainControl, dice, someMood(dice)), dice)).ok ? 'accepted' : 'refused';
}

/** A job of seed 000 says nothing of the host, whatever is in it. */
function plainJob(dice: Dice): Outcome {
  const parsed = parseMessage<PlainJob>(PlainJob, onTheWire(fromSchema(PlainJob, dice, someMood(dice)), dice));
  const service = parsed.ok ? serviceOfJob(parsed.value, {}, 'job') : parsed;
  if (!service.ok) return 'refused';
  requireLawfulSpec(service.value.run);
  requireThat(service.value.run.host === undefined && !service.value.run.privileged, 'it asks for the host');
  return 'accepted';
}

campaign({
  name: "tokens, topics, frames and the seeds' wire",
  share: 0.05,
  accepted: 0.05,
  one: (dice) => dice.pick([frame, joinToken, topicText, registration, seedInformation, plainControl, plainJob])(dice),
});
