/** A descriptor to start from. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ProblemError, problem } from '../../schemas/problem.ts';

const descriptor = `# What should run: applications and their microservices. \`oakctl validate\` checks it, \`oakctl plan\` shows what it would change.
sla_version: v2.0
applications:
  - application_name: hello
    application_desc: A web server on every address that publishes its port
    microservices:
      - microservice_name: web
        virtualization: container
        code: docker.io/library/nginx:alpine
        # host port:container port
        port: "8080:80"
        # MB and cores that it needs
        memory: 64
        vcpus: 0.1
        # how many instances; they spread over the nodes
        replicas: 2
`;

/** Writes hello.yaml into the folder (made if needed) and answers its path. REFUSED when there is one. */
export async function writeStarter(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, 'hello.yaml');
  try {
    await writeFile(path, descriptor, { flag: 'wx' });
    return path;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new ProblemError(problem('REFUSED', `${path} is there already: it is left as it is`), { cause: error });
  }
}
