/* Every message type between the processes of one workspace, its fields in order, and who may send it to whom.
 *
 * Notation: u = u64, b = bytes, fd = descriptor. "sup" is the supervisor. A role's parent channel is descriptor 3. Each reader
 * lists the types it accepts in its permit table (ipc/chan.h); everything else ends the channel, and the role with it. The
 * messages inside sawd stand in ipc/sawd_types.h. Numbers are for one build: no compatibility across versions is promised, except
 * in the control section, whose version is said in HELLO, since a newer sawd adopts running workspaces. */
#ifndef SAW_IPC_TYPES_H
#define SAW_IPC_TYPES_H

enum {
	IPC_PARENT_FD = 3,
	IPC_CONTROL_VERSION = 3, /* of this supervisor; what came with 2 is not sent to one of 1; 3: one more field of POLICY_DONE */
	IPC_CONTROL_OLDEST = 1, /* that a core of today still adopts */
	IPC_JOURNAL_BYTES = 32 * 1024 * 1024,
	IPC_ROOTS_MAX = 8 * 1024 * 1024, /* root certificates of the host */
	IPC_SECRETS_MAX = 256, /* credentials bound to one workspace */
	IPC_CA_NAME_MAX = 253,
	IPC_CA_CERT_MAX = 32 * 1024, /* one certificate, DER */
	IPC_CA_KEY_MAX = 512, /* a P-256 private key, DER */
	IPC_CA_CERTS_MAX = 256, /* intermediates of one issue */
};

enum ipc_type {
	/* Any role <-> its parent */
	MSG_READY = 1, /* role -> parent: (). jailed and serving */
	MSG_EVENT, /* role -> sup, core -> sup (of sessions only, by the owner): (u id, event). id 0: no answer wanted. event: ipc/audit_msg.h */
	MSG_EVENT_DONE, /* sup -> sender: (u id, u ok). ok 1: on disk; 0: not written, the action must not happen */
	MSG_STOP, /* parent -> role: (). finish and exit 0 */
	MSG_POLICY, /* sup -> inlet, dialer; saw try -> sup: (u generation, fd sealed blob) */
	MSG_POLICY_DONE, /* back: (u generation, u ok, b why); sup -> core from control version 3 on: also (u 1: refused for what may pass, and
			  * not for the policy itself: worth sending again) */
	MSG_FAILED, /* role -> parent: (b why): cannot start or go on, in one sentence; it exits after it */
	MSG_PING, /* parent -> role that is ready: (). ipc/pulse.h */
	MSG_PONG, /* back: (): still serving */

	/* sup <-> front: the network namespace */
	MSG_FRONT_CONFIG = 100, /* sup -> front: (u enum ipc_link; u role uid, 0: keep; b guest mac, 6 bytes). IPC_LINK_JOIN adds
				 * (fd userns, fd netns): a front that replaces one that died */
	MSG_FRONT_LINK, /* front -> sup: (fd userns, fd netns), and (fd tap) for IPC_LINK_TAP. Not sent for IPC_LINK_JOIN */
	MSG_FRONT_ATTACH, /* sup -> front, IPC_LINK_VETH: (fd guest netns): move the guest's end there, then READY */
	MSG_LISTEN, /* sup -> front: (u kind: enum ipc_listener, u port) */
	MSG_LISTENER, /* front -> sup, sup -> inlet: (u kind, u port, fd) */
	MSG_UNLISTEN, /* sup -> inlet: (u port): close that TCP listener */
	MSG_GUEST_CONNECT, /* core -> sup -> front: (u id, u port): TCP to the guest from inside the namespace */
	MSG_GUEST_CONNECTED, /* front -> sup -> core: (u id, fd) */
	MSG_GUEST_REFUSED, /* front -> sup -> core: (u id, b why) */

	/* sup -> inlet, sup -> dialer */
	MSG_INLET_CONFIG = 200, /* (u role uid, b workspace id, b workspace name, b owner, b guest mac: 6 bytes or empty, fd name
				 * journal, fd root certificates of the host: PEM, a memory file). Journal: a memory file of IPC_JOURNAL_BYTES zeros (sparse) that outlives an inlet, made once for
				 * each life of the workspace (inlet/pool.h) */
	MSG_DIALER_CONFIG, /* (u role uid, b upstream proxy "host:port" or "") */
	MSG_RESOLV, /* sup -> dialer: (b text of resolv.conf). At start and whenever the file changes */
	MSG_PEER, /* sup -> inlet, sup -> dialer: (fd): their channel to each other; sup -> outlet: its channel to dialer. Replaces
		   * the one before */
	MSG_PEER_OUTLET, /* sup -> inlet, sup -> dialer: (fd): their channel to outlet */
	MSG_PEER_INLET, /* sup -> outlet: (fd): its channel to inlet */
	MSG_OUTLET_CONFIG, /* sup -> outlet: (u role uid, b workspace id, b workspace name, b owner, fd root certificates: as inlet's) */
	MSG_PEER_LOST, /* inlet, outlet -> sup: (u 0: dialer, 1: outlet): its channel to that one has ended. PEER comes with a new process, and
			* also where both go on */

	/* inlet <-> dialer, outlet <-> dialer; inlet <-> outlet for guarded names (rules/policy.h), whose descriptor is a stream
	 * socket to outlet itself that takes canonical HTTP/1.1 requests in clear */
	MSG_DIAL = 300, /* -> dialer, -> outlet: (u flow, b name, u port, u generation) */
	MSG_DIAL_CANCEL, /* -> dialer, -> outlet: (u flow): the guest went away */
	MSG_DIALED, /* back: (u flow, b address: outlet says 0.0.0.0, fd connected, non-blocking) */
	MSG_DIAL_REFUSED, /* back: (u flow, u reason): the event has been written already */

	/* sup <-> machine (QEMU's keeper) */
	MSG_MACHINE_CONFIG = 400, /* sup -> machine: (u role uid, u cpus, u memory bytes, u accel: enum ipc_accel, b mac, b kernel
				   * arguments, fd tap, fd kernel, fd initrd, fd base, fd overlay, fd home, fd seed, fd console log) */
	MSG_MACHINE_STATE, /* machine -> sup: (u enum ipc_machine, u accel in use: IPC_ACCEL_KVM or _TCG, b detail) */
	MSG_MACHINE_POWERDOWN, /* sup -> machine: (): ACPI power button */
	MSG_MACHINE_QUIT, /* sup -> machine: (): stop at once */

	/* sup <-> try (the command of `saw try` in the guest's place) */
	MSG_TRY_CONFIG = 450, /* sup -> try: (u uid inside, u gid inside, fd front's userns) */
	MSG_TRY_NETNS, /* try -> sup: (fd netns): ready for the link */
	MSG_TRY_GO, /* sup -> try: (): the gateway serves; start the command */
	MSG_TRY_DONE, /* try -> sup -> saw try: (u exit code of the command) */

	/* core <-> sup over the workspace's control socket */
	MSG_HELLO = 500, /* core -> sup: (u IPC_CONTROL_OLDEST, b workspace id, u core's pid); sup -> core: (u IPC_CONTROL_VERSION,
			  * b workspace id, u supervisor's pid) */
	MSG_STATE, /* sup -> core, on HELLO and on every change: (u enum ipc_state, u since real ms, u policy generation, u accel, u n
		    * restarts of roles, b detail) */
	MSG_SHUTDOWN, /* core -> sup: (u grace ms; 0: at once) */
	MSG_BUNDLE, /* core -> sup, from version 2 on: (u generation, u serial that it was rolled back to or 0, b channel or "", fd sealed
		     * bundle): POLICY_DONE */

	/* The two channels of a workspace to the keeper of keys. What travels on them is nobody's in between: core and sup pass the end on
	 * unread. The supervisor keeps a duplicate of the last one and gives it to each new outlet and inlet. A new channel replaces the one
	 * before; what was said on that one stays until the new one says otherwise. Since control version 2. */
	MSG_KEEPER_OUTLET = 540, /* core -> sup -> outlet: (fd): outlet's channel to keeper */
	MSG_KEEPER_INLET, /* core -> sup -> inlet: (fd): inlet's channel to keeper */

	/* keeper <-> outlet. For each credential that the policy binds keeper says at once, and again at every change, whether it is there.
	 * A value that is replaced or gone may not be used from then on, not by connections that were authenticated with it either */
	MSG_KEEPER_WANTED = 545, /* outlet -> keeper, inlet -> keeper: (): a fresh process: say everything again. Once, first; what is on
				  * the channel already may come twice */
	MSG_SECRET = 550, /* keeper -> outlet: (b id, u version, b value: wire/credential.h); counts up with each value */
	MSG_SECRET_GONE, /* keeper -> outlet: (b id): removed, never stored, damaged, or not bound any more */

	/* keeper <-> inlet: fresh intermediates of the workspace's CA, for the names of the policy in force. In use from MSG_CA_DONE on,
	 * all together; those of another issue before are dropped */
	MSG_CA_KEY = 560, /* keeper -> inlet: (u issue, b root certificate DER, b private key of all intermediates DER; empty when the policy
			   * opens no name) */
	MSG_CA_CERT, /* keeper -> inlet: (u issue, b certificate DER), for each */
	MSG_CA_DONE, /* keeper -> inlet: (u issue, u n certificates) */
};

enum ipc_link { IPC_LINK_TAP = 1, IPC_LINK_VETH, IPC_LINK_JOIN };
enum ipc_listener { IPC_LISTEN_TCP = 1, IPC_LISTEN_DNS_UDP, IPC_LISTEN_DNS_TCP, IPC_LISTEN_OBSERVER };
enum ipc_accel { IPC_ACCEL_AUTO = 0, IPC_ACCEL_KVM, IPC_ACCEL_TCG };
enum ipc_machine { IPC_MACHINE_RUNNING = 1, IPC_MACHINE_PAUSED, IPC_MACHINE_OFF, IPC_MACHINE_FAILED };
enum ipc_state { IPC_STATE_STARTING = 1, IPC_STATE_RUNNING, IPC_STATE_STOPPING, IPC_STATE_STOPPED, IPC_STATE_FAILED };

#endif
