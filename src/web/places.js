// New groups, and the three speaking people of the demo.

import { api } from "./api.js";
import { setText } from "./dom.js";
import { refusedText } from "./wording.js";

const $ = (id) => document.getElementById(id);

/** `session()` and `chats()` read the page's state; `refresh()` fetches the list again. */
export function wirePlaces({ session, chats, refresh, notices }) {
  $("group-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const { token, team } = session();
    const path = `/api/v3/teams/${encodeURIComponent(team.uid)}/groups`;
    try {
      const body = { display_name: $("group-name").value.trim() };
      const group = await api("POST", path, { token, body });
      $("group-name").value = "";
      await refresh();
      setTimeout(() => $("places").querySelector(`[data-jid="${group.jid}"] button`)?.focus());
    } catch (error) {
      notices.toast(refusedText(error));
    }
  });

  $("demo").addEventListener("click", async () => {
    const lobby = chats()?.find((chat) => chat.display_name === "Lobby");
    const { token } = session();
    $("demo").disabled = true;
    try {
      const { people } = await api("POST", "/api/v3/demo", { token, body: { jid: lobby?.jid } });
      notices.toast(`${people} people are coming into Lobby.`);
    } catch (error) {
      notices.toast(refusedText(error));
    }
    refresh();
  });
}

/** A server without the demo hides the button. */
export async function drawDemo(token) {
  const demo = await api("GET", "/api/v3/demo", { token }).catch(() => null);
  const running = Boolean(demo?.running);
  $("demo-box").hidden = !demo?.available;
  $("demo").disabled = running;
  setText($("demo").querySelector(".label"),
    running ? "Three people speak in Lobby" : "Bring three speaking people into Lobby");
}
