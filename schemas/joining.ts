/** How a machine becomes a node: requests and answers of the routes without a token of the API (see api.ts). */
import type { EndpointList } from './endpoints.ts';
import type { WireVersions } from './skew.ts';
import type { Chain } from './trust.ts';

/** What a node of the dialect `seed` needs to connect. User name = id; client ids are the id, or `<id>.<anything>`. */
export interface RegisterAnswer {
  readonly id: string;
  /** A text, as Oakestra has it. */
  readonly MQTT_BROKER_PORT: string;
  /** Only where the broker is not the reconciler's own. */
  readonly MQTT_BROKER_URL?: string;
  readonly username: string;
  readonly password: string;
}

export interface IdentityAnswer {
  readonly cluster: string;
  /** SHA-256 of the public signing key, hex. */
  readonly fingerprint: string;
  readonly kid: string;
  /** The key that signs now: Ed25519, base64url of the raw 32 bytes. */
  readonly key: string;
  /** Signature over `oakctl/1/<cluster>/identity` + nonce, base64url: proves possession of the key. */
  readonly sig: string;
  /** The list of endpoints of whoever answers; absent: none is published. */
  readonly endpoints?: EndpointList;
  /** Versions of the wire that it reads. Absent: the first one. */
  readonly wire?: WireVersions;
  /** Once another key than the first one signs: how it came to it. A token pins any of them. */
  readonly since?: {
    readonly chain: Chain;
    /** As `sig`, over nonce and chain: which key is the first one, and names the cluster, is said by the one that signs now. */
    readonly sig: string;
  };
}

export interface JoinRequest {
  readonly token: string;
  /** Wanted node name; default the host name. */
  readonly name: string;
  readonly ip: string;
  readonly version: string;
  /**
   * A secret of this attempt (hex), kept by the agent until it has its identity: with it the same token gives the same identity
   * again, as long as the node was never heard. Whoever sends none is recognised by the name alone.
   */
  readonly attempt?: string;
}

export interface JoinAnswer {
  readonly id: string;
  readonly name: string;
  readonly cluster: string;
  readonly fingerprint: string;
  readonly ordinal: number;
  readonly mqtt: {
    /** Every address (0.0.0.0, ::): the host of the API is meant. */
    readonly host: string;
    readonly port: number;
    /** True: over TLS, under the same authority as the API. */
    readonly tls?: boolean;
    /** A broker that is not the reconciler's own. Counts instead of host, port and tls. */
    readonly url?: string;
    /** PEM of the root that signed the certificate at `url`; absent: a public authority, or no TLS. */
    readonly ca?: string;
    readonly username: string;
    readonly password: string;
  };
  readonly keys: Readonly<Record<string, string>>;
}

/** What a node gets when it asks for its credential with the one that it has: the one that it is to have. */
export interface CredentialAnswer {
  readonly serial: number;
  readonly password: string;
}

/** The TLS of a cluster. Nothing in it is secret; whoever believes it must hold a pin, or have it from a channel that is trusted. */
export interface TlsAnswer {
  /** `auto`: certificates are made by the cluster's own authority. */
  readonly mode: 'auto' | 'files';
  /** The root to trust; absent where a public authority signed the certificate. */
  readonly authority?: {
    /** PEM. */
    readonly certificate: string;
    /** SHA-256 of its public key (SubjectPublicKeyInfo), hex; join tokens carry the first 32 digits. */
    readonly fingerprint: string;
    /** ms since 1970. */
    readonly expires: number;
    /** PEM of the roots before it, whose join tokens may still be about: what is shown leads to them, too. */
    readonly former?: string;
  };
  /** The certificate that API and broker show now. */
  readonly server: {
    readonly names: readonly string[];
    readonly fingerprint: string;
    readonly expires: number;
  };
}
