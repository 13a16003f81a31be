/** Descriptors for tests, as users write them: JSON is YAML. */

export interface ServiceText {
  readonly code: string;
  readonly virtualization?: 'container' | 'process';
  readonly cmd?: readonly string[];
  /** `host:container`, as in a descriptor. */
  readonly port?: string;
  readonly replicas?: number | 'every';
  readonly memory?: number;
  readonly vcpus?: number;
  readonly [field: string]: unknown;
}

/**
 * A descriptor of one application; keys of `services` are names, both namespaces are `test`. A copy counts as healthy after
 * one second, and has half a second to stop.
 */
export function descriptor(app: string, services: Readonly<Record<string, ServiceText>>): string {
  const microservices = Object.entries(services).map(([name, fields]) => ({
    microservice_name: name,
    microservice_namespace: 'test',
    update: { settle: '1s' },
    stop_grace: '500ms',
    ...fields,
  }));
  const applications = [{ application_name: app, application_namespace: 'test', microservices }];
  return `${JSON.stringify({ sla_version: 'v2.0', customerID: 'Admin', applications }, undefined, 2)}\n`;
}

/** Full name of a service of {@link descriptor}. */
export function fullName(app: string, service: string): string {
  return `${app}.test.${service}.test`;
}

/**
 * The descriptor of Oakestra's own documentation, unchanged but for the two images, which must exist where the test runs, and for
 * the name of the application where others may run it, too.
 */
export function curlApplication(images: { readonly curl: string; readonly nginx: string }, app = 'clientsrvr'): string {
  return `{
"sla_version" : "v2.0",
"customerID" : "Admin",
"applications" : [
{
"applicationID" : "",
"application_name" : "${app}",
"application_namespace" : "test",
"application_desc" : "Simple demo with curl client and Nginx server",
"microservices" : [
{
"microserviceID": "",
"microservice_name": "curl",
"microservice_namespace": "test",
"virtualization": "container",
"cmd": ["sh", "-c", "tail -f /dev/null"],
"memory": 100,
"vcpus": 1,
"vgpus": 0,
"vtpus": 0,
"bandwidth_in": 0,
"bandwidth_out": 0,
"storage": 0,
"code": "${images.curl}",
"state": "",
"port": "9080",
"added_files": []
},
{
"microserviceID": "",
"microservice_name": "nginx",
"microservice_namespace": "test",
"virtualization": "container",
"cmd": [],
"memory": 100,
"vcpus": 1,
"vgpus": 0,
"vtpus": 0,
"bandwidth_in": 0,
"bandwidth_out": 0,
"storage": 0,
"code": "${images.nginx}",
"state": "",
"port": "6080:60/tcp",
"addresses": {
"rr_ip": "10.30.30.30"
},
"added_files": []
}
]
}
]
}
`;
}
