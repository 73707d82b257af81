# Espressif's own client of security 2 as a process: what it is asked on standard input, it answers
# on standard output, in hexadecimal, a line each. Its random numbers are those of the command line,
# so that a run can be repeated. Run by ble_security2_support.ts.
#
#   arguments: user name, proof of possession, random bytes, folder of esp_prov or nothing
#   request                    -> ok COMMAND0
#   answer BYTES               -> ok COMMAND1, then: ok
#   seal BYTES, open BYTES     -> ok BYTES
#   verifier                   -> ok SALT VERIFIER
#   anything that fails        -> error WHAT

import os
import sys

username, proof, random_hex = sys.argv[1:4]
esp_prov = sys.argv[4] if len(sys.argv) > 4 else ""
random = bytearray.fromhex(random_hex)


def take(count):
    if len(random) < count:
        raise RuntimeError("no random bytes are left")
    taken = bytes(random[:count])
    del random[:count]
    return taken


if esp_prov:
    os.environ["IDF_PATH"] = os.path.dirname(os.path.dirname(os.path.abspath(esp_prov)))
    sys.path.insert(0, esp_prov)
    from security.security2 import Security2
    from security.srp6a import generate_salt_and_verifier
else:
    from rmaker_tools.common.security.security2 import Security2
    from rmaker_tools.common.security.srp6a import generate_salt_and_verifier

# After the imports: some of them want random numbers of their own.
os.urandom = take
PATCH_VERSION = 1
client = Security2(PATCH_VERSION, username, proof, False)


def carry_out(word, given):
    if word == "request":
        return [client.security_session("").encode("latin-1")]
    if word == "answer":
        request = client.security_session(given.decode("latin-1"))
        return [] if request is None else [request.encode("latin-1")]
    if word == "verifier":
        return list(generate_salt_and_verifier(username, proof, 16))
    # It wants bytes that can be hashed.
    return [bytes((client.encrypt_data if word == "seal" else client.decrypt_data)(given))]


for line in sys.stdin:
    word, _, given = line.strip().partition(" ")
    try:
        print("ok", *[part.hex() for part in carry_out(word, bytes.fromhex(given))], flush=True)
    except Exception as error:
        print("error", type(error).__name__, str(error).replace("\n", " "), flush=True)
