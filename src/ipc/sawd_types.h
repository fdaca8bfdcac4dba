/* Every message type between the processes of the control plane: fields in order, and who may send it to whom.
 *
 * Notation as in ipc/types.h. "launcher" is the process `sawd`, parent of the four roles on their descriptor 3. A `req` is a number that
 * the asker chose; the answer carries it back. What a role accepts stands in its permit tables; everything else ends the channel. */
#ifndef SAW_IPC_SAWD_TYPES_H
#define SAW_IPC_SAWD_TYPES_H

enum sawd_role { SAWD_FRONT = 1, SAWD_CORE, SAWD_KEEPER, SAWD_COMPILER, SAWD_ROLE_END };

enum {
	SAWD_POLICY_TEXT_MAX = 8 * 1024 * 1024,
	SAWD_BODY_MAX = 16 * 1024 * 1024,
	SAWD_FILE_NAME_MAX = 1000, /* how messages call a policy file */
	SAWD_DETAIL_MAX = 1000,
	SAWD_PROBLEMS_MAX = 50, /* of a refused policy, in one message */
	SAWD_KEY_LEN = 32,
	SAWD_CERT_MS = 5 * 60 * 1000,
	SAWD_SESSION_MAX_MS = 12 * 60 * 60 * 1000, /* a session's tunnels are cut then */
	SAWD_SESSION_IDLE_MS = 60 * 60 * 1000, /* a tunnel without a byte is cut then */
	SAWD_SECRETS_MAX = 256, /* of one owner */
	SAWD_SECRET_WHY_MAX = 300,
	SAWD_SECRET_FAULT_MAX = 120, /* in a list */
	SAWD_SECRET_NAMES_MAX = 500,
	SAWD_CA_NAMES_MAX = 4 * 1024 * 1024, /* text of a list of names */
	SAWD_CA_PEM_MAX = 4096,
	SAWD_RUNNING_MAX = 4096, /* workspaces of one sawd that run at once: fewer where the hard limit of descriptors does not reach */
	SAWD_RUNNING_FDS = 2, /* that keeper holds for each of them; core and launcher hold one */
	SAWD_SPARE_FDS = 256, /* and whatever else each of the three does */
	SAWD_ROLE_UIDS = 0x70000000, /* root only: first of the 8 uids of sawd's own roles; blocks of workspaces follow */
};

enum sawd_type {
	/* launcher -> role, once, first */
	MSG_SAWD_FRONT_CONFIG = 600, /* (u role uid, 0: keep; u uid whose calls are taken; u launcher's pid; u lab; u ms after which an
				      * idle tunnel is cut; b state folder; b run folder; fd listening socket) */
	MSG_SAWD_CORE_CONFIG, /* (u uid, u lab, u longest session in ms, u workspaces that may run at once, b owner, b state folder, b run folder, b resolv.conf or "") */
	MSG_SAWD_KEEPER_CONFIG, /* (u workspaces that may run at once, b key folder, b path of a systemd credential with the sealing key, or "") */
	MSG_SAWD_COMPILER_CONFIG, /* (u role uid) */
	MSG_SAWD_PEER, /* launcher -> core: its channel to that role; launcher -> others: theirs to core. (u enum sawd_role of the other end,
			* fd). Replaces the one before */

	/* core <-> launcher */
	MSG_SAWD_SPAWN = 620, /* core -> launcher: (u req, b id, b name, u enum spec_driver, fd log): start saw-workspace; it outlives us */
	MSG_SAWD_SPAWNED, /* back: (u req, u ok, b why) */
	MSG_SAWD_ENDED, /* launcher -> core: (b id, u req of its SPAWN, b how): a saw-workspace that this launcher started has ended */
	MSG_SAWD_DISKS, /* core -> launcher: (u req, b workspace id, u bytes): overlay.img and home.img, where they are missing */
	MSG_SAWD_DISKS_DONE, /* back: (u req, u ok, b why) */
	MSG_SAWD_CONNECT, /* core -> launcher: (u req, b workspace id): to its supervisor's control socket: core itself reaches nobody */
	MSG_SAWD_CONNECTED, /* back: (u req, u ok), and (fd) when ok */
	MSG_SAWD_DOWN, /* core -> launcher: (): end all roles and yourself */
	MSG_SAWD_KILL, /* core -> launcher: (b workspace id): its supervisor does not even pull the plug. No answer: its end shows */
	MSG_SAWD_JOIN, /* core -> launcher: (u enum sawd_role): there is no channel to that role: PEER to both, if it is ready */

	/* core <-> compiler; COMPILE also from a supervisor, as its parent */
	MSG_SAWD_COMPILE = 630, /* core -> compiler: (u req, u for production, fd sealed text) */
	MSG_SAWD_COMPILED, /* back: (u req, b name, b sha256 of the blob's content, 32 bytes; u lab,
			   * b entries that only observe, fd sealed blob); else REFUSED, or NOT_NOW */
	MSG_SAWD_REFUSED, /* back: (u req, u n, n times (u line, u column, b message)), n <= SAWD_PROBLEMS_MAX, errors only */
	MSG_SAWD_CHECK, /* core -> compiler: (u req, b channel, u n, n times b trusted public key, fd sealed bundle): CHECKED, UNSOUND,
			 * REFUSED or NOT_NOW */
	MSG_SAWD_CHECKED, /* back: (u req, b release, 32 bytes; u serial, b policy name, u lab, b entries that only
			   * observe, b fingerprint of the key, u created real ms,
			   * u expires real ms or 0, fd sealed blob) */
	MSG_SAWD_UNSOUND, /* back: (u req, u enum reason, b why or "") */
	MSG_SAWD_NOT_NOW, /* back to any of them: (u req, b why): for want of memory or descriptors nothing was said of the policy: ask again */

	/* core <-> keeper */
	MSG_SAWD_HOST_KEY = 640, /* core -> keeper: (u req, b workspace id): the same id always gives the same key */
	MSG_SAWD_HOST_KEY_DONE, /* back: (u req, b host public key, b host private key file, b user CA's public key) */
	MSG_SAWD_CERT, /* core -> keeper: (u req, b key id, b principal, b public key, u permits: enum ssh_cert_permit, u valid after and
			* u before, seconds) */
	MSG_SAWD_CERT_DONE, /* back: (u req, b certificate blob, b host public key of the principal); empty: refused */

	MSG_SAWD_SIGN, /* core -> keeper: (u req, b manifest of a policy bundle): by the local Security key */
	MSG_SAWD_SIGNED, /* back: (u req, b public key, b signature, 64 bytes); empty: failed */

	/* core <-> keeper: secrets. A value passes front and core as sealed memory that neither of them reads. A change is prepared, then
	 * written down in the audit log, then made. `id`: wire/credential.h */
	MSG_SAWD_SECRET_CHANGE = 720, /* core -> keeper: (u req, b owner, b id, u enum sawd_secret_op), and (fd sealed value) but for
				       * SAWD_SECRET_REMOVE: SECRET_READY */
	MSG_SAWD_SECRET_READY, /* back: (u req, u enum sawd_secret_answer, u version it will have or had, b why) */
	MSG_SAWD_SECRET_COMMIT, /* core -> keeper: (u req, u req of the change, u go; 0: forget it): SECRET_DONE */
	MSG_SAWD_SECRET_DONE, /* back: (u req, u enum sawd_secret_answer, u version, u created real ms, u rotated real ms or 0, b why): OK: on disk, and pushed to every workspace that it is bound to */
	MSG_SAWD_SECRET_LIST, /* core -> keeper: (u req, b owner): SECRET_ROWS */
	MSG_SAWD_SECRET_ROWS, /* back: (u req, u n, n times (b id, u version, u created real ms, u rotated real ms or 0, b fault or "")) */
	MSG_SAWD_SECRET_OPEN, /* core -> keeper: (u req, b workspace id, b owner, u n, n times b id): a fresh channel for its outlet:
			       * SAWD_CHANNEL */
	MSG_SAWD_SECRET_BIND, /* core -> keeper: (b workspace id, b owner, u n, n times b id): its policy binds these from now on. Unknown
			       * when there is no channel: no answer either way */
	MSG_SAWD_CA_ROOT, /* core -> keeper: (u req, b workspace id, b its name): the same id always gives the same certificate: CA_ROOT_DONE */
	MSG_SAWD_CA_ROOT_DONE, /* back: (u req, b certificate PEM; empty: failed, b why) */
	MSG_SAWD_CA_OPEN, /* core -> keeper: (u req, b workspace id, u n, and when n > 0 (fd sealed text: n host patterns as in the policy, one
			   * a line)): a fresh channel for its inlet, on which intermediates for these names come: SAWD_CHANNEL */
	MSG_SAWD_CA_BIND, /* core -> keeper: fields of CA_OPEN without req: other names from now on. No answer */
	MSG_SAWD_CHANNEL, /* back: (u req, u ok, b why), and (fd the role's end) when ok */
	MSG_SAWD_CHANNEL_ENDED, /* keeper -> core: (b workspace id, u 0: outlet's, 1: inlet's): the other end hung up or misbehaved */
	MSG_SAWD_FORGET, /* core -> keeper: (u req, b workspace id): it is being deleted: its CA goes, its channels end: FORGOTTEN */
	MSG_SAWD_FORGOTTEN, /* back: (u req, b why not, or "") */

	/* front -> core: calls. Answered by API_PROBLEM or by what stands behind them */
	MSG_API_STATUS = 650, /* (u req): API_STATUS_DONE */
	MSG_API_CREATE, /* (u req, struct sawd_new of ipc/sawd_row.h, and without a channel in it (fd sealed policy text)): API_WORKSPACE */
	MSG_API_GET, /* (u req, b name or id): API_WORKSPACE */
	MSG_API_LIST, /* (u req, u limit, b names after this one, u state or 0): API_WORKSPACE each, then API_END */
	MSG_API_WANT, /* (u req, b name or id, u enum sawd_verb, u grace ms): API_WORKSPACE */
	MSG_API_POLICY, /* (u req, b name or id, b file, b channel, and for channel "" (fd sealed policy text)): API_WORKSPACE */
	MSG_API_FILE, /* (u req, b name or id or "", u enum sawd_file): API_FILE_DONE */
	MSG_API_SESSION, /* (u req, b name or id, b public key, u permits): API_SESSION_DONE */
	MSG_API_SESSIONS, /* (u req): API_SESSION_ROW each, then API_END */
	MSG_API_SESSION_END, /* (u req, b session id): API_END */
	MSG_API_TUNNEL, /* (u req, b name or id, b session id): API_TUNNEL_DONE */
	MSG_API_IMAGES, /* (u req): API_IMAGE_ROW each, then API_END */
	MSG_API_SHUTDOWN, /* (u req, u also workspaces): API_SHUTDOWN_DONE */
	MSG_API_SECRET_SET, /* (u req, b id, u enum sawd_secret_op, fd sealed value): API_SECRET_ROW, then API_END */
	MSG_API_SECRET_RM, /* (u req, b id): API_END */
	MSG_API_SECRETS, /* (u req): API_SECRET_ROW each, then API_END */
	MSG_API_PUSH, /* (u req, b channel, u also with a serial that is far ahead, fd sealed bundle): API_CHANNEL */
	MSG_API_CHANNELS, /* (u req): API_CHANNEL each, then API_END */
	MSG_API_CHANNEL_SET, /* (u req, b channel, b digits of a release): API_CHANNEL */
	MSG_API_CHANNEL_ROLLBACK, /* (u req, b channel, u serial; 0: the one before): API_CHANNEL */
	MSG_API_KEY, /* (u req, u add, b name, b fingerprint): API_END: the event is on disk, the caller may change its trusted keys */
	MSG_API_TUNNEL_CLOSED, /* (u tunnel, u bytes to the guest, u bytes from it, u duration ms, b why) */

	/* core -> front */
	MSG_API_PROBLEM = 680, /* (u req, u status, u exit code, b code, b detail, b field, b remedy, u n, n times (u line, u column,
				* b message)) */
	MSG_API_END, /* (u req, b next page token) */
	MSG_API_STATUS_DONE, /* (u req, u audit is writable) */
	MSG_API_WORKSPACE, /* (u req, ipc/sawd_row.h). req 0: a change, for /v1/events */
	MSG_API_FILE_DONE, /* (u req, b workspace id or "", fd read-only) */
	MSG_API_SESSION_DONE, /* (u req, b session id, b workspace id, b certificate blob, b host public key, u certificate's end real ms,
			       * u session's end real ms) */
	MSG_API_SESSION_ROW, /* (u req, b session id, b workspace name, b workspace id, b user, u created, u certificate's end, u session's end,
			      * u tunnels) */
	MSG_API_TUNNEL_DONE, /* (u req, u tunnel, b session id, b workspace id, u ms until the session's end, fd guest's sshd) */
	MSG_API_IMAGE_ROW, /* (u req, b digest, b name, u created real ms, u bytes) */
	MSG_API_SHUTDOWN_DONE, /* (u req, u workspaces being stopped) */
	MSG_API_SECRET_ROW, /* (u req, b id, u version, u created real ms, u rotated real ms or 0, b fault or "", u how many workspaces'
			     * policies bind it, u n of them, n <= SAWD_SECRET_NAMES_MAX, n times b name) */
	MSG_API_CHANNEL, /* (u req, b name, b release, 64 hex digits; u serial, u top serial, u rolled back to or 0, b policy name, b sha256 in
			  * hex, u lab, b entries that only observe, b fingerprint, u expires real ms or 0, u moved real ms, u workspaces on it,
			  * u n, n <= IPC_SECRETS_MAX, n times b id of a credential that the policy binds) */
	MSG_API_CUT, /* (b session id or "", b workspace id or "", b why): end its tunnels */
};

enum sawd_verb { SAWD_START = 1, SAWD_STOP, SAWD_RESTART, SAWD_REBUILD, SAWD_DELETE, SAWD_VERB_END };
enum sawd_secret_op { SAWD_SECRET_NEW = 1, SAWD_SECRET_ROTATE, SAWD_SECRET_PUT, SAWD_SECRET_REMOVE, SAWD_SECRET_OP_END };
enum sawd_secret_answer {
	SAWD_SECRET_OK = 1,
	SAWD_SECRET_EXISTS, /* asked for a new one */
	SAWD_SECRET_MISSING, /* asked to rotate or remove it */
	SAWD_SECRET_BAD, /* the value or the id is not fit */
	SAWD_SECRET_FULL, /* SAWD_SECRETS_MAX, or too many changes at once */
	SAWD_SECRET_FAILED,
	SAWD_SECRET_RACED, /* somebody else's change came in between */
	SAWD_SECRET_ANSWER_END
};
enum sawd_file { SAWD_FILE_CONSOLE = 1, SAWD_FILE_SUPERVISOR, SAWD_FILE_AUDIT, SAWD_FILE_END };

#endif
