/** The packet-moving process by itself, as `appliance tunnel` starts it. */
import { runUserTunnel } from "../../../mod/tunnel/user/process.ts";

process.exit(runUserTunnel());
