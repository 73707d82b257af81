// Reads certificates, to say what a file is.

import "reflect-metadata";
import { BasicConstraintsExtension, X509Certificate } from "@peculiar/x509";

export interface CertificateFacts {
  /** It may sign others, so it is no device's own. */
  readonly isAuthority: boolean;
  /** The name in it that a person would call it by. */
  readonly name: string;
  readonly notAfter: Date;
}

const nameIn = (certificate: X509Certificate): string =>
  certificate.subjectName.getField("CN")[0] ??
  certificate.subjectName.getField("O")[0] ??
  certificate.subject;

/** Throws when it is none. */
export function readCertificate(pem: string): CertificateFacts {
  const certificate = new X509Certificate(pem);
  const constraints = certificate.getExtension(BasicConstraintsExtension);
  const isSelfSigned = certificate.subject === certificate.issuer;
  return {
    // Roots of the first version of X.509 have no extensions.
    isAuthority: constraints === null ? isSelfSigned : constraints.ca,
    name: nameIn(certificate),
    notAfter: certificate.notAfter,
  };
}
