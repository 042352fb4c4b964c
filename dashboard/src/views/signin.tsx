// Signing in, where the server asks for it and the browser has not seen to it by itself.
import { useState } from "preact/hooks";
import { basic, refused, signIn } from "../api/credentials";
import { retry } from "../state/live";

export function SignIn() {
  const ways = refused.value ?? [];
  const [name, setName] = useState("");
  const [secret, setSecret] = useState("");
  const withName = ways.includes("Basic");
  return (
    <main class="signin">
      <h1>Sign in</h1>
      {ways.length === 0 ? (
        <p>
          This server lets in only whom the proxy before it has signed in. Open this page by the
          proxy’s address.
        </p>
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            const isToken = !withName || name === "";
            signIn(isToken ? `Bearer ${secret.trim()}` : basic(name, secret));
            retry();
          }}
        >
          {withName && (
            <label>
              Name {ways.includes("Bearer") && <span class="quiet">(none for a token)</span>}
              <input
                autocomplete="username"
                value={name}
                onInput={(event) => setName(event.currentTarget.value)}
              />
            </label>
          )}
          <label>
            {withName ? (ways.includes("Bearer") ? "Password or token" : "Password") : "Token"}
            <input
              type="password"
              autocomplete="current-password"
              required
              value={secret}
              onInput={(event) => setSecret(event.currentTarget.value)}
            />
          </label>
          <button type="submit">Sign in</button>
          <p class="quiet">It is kept until this tab is closed, and sent to this server alone.</p>
        </form>
      )}
    </main>
  );
}
