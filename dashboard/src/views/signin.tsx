// The sign-in form, shown if the server requires a sign-in and the browser has not done it.
import { useState } from "preact/hooks";
import { basic, signIn, signInMethods } from "../api/credentials";
import { retry } from "../state/live";

export function SignIn() {
  const ways = signInMethods.value ?? [];
  const [name, setName] = useState("");
  const [secret, setSecret] = useState("");
  const withName = ways.includes("Basic");
  return (
    <main class="signin">
      <h1>Sign in</h1>
      {ways.length === 0 ? (
        <p>
          This server accepts only users that its proxy has signed in. Open this page at the proxy’s
          address.
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
              Name {ways.includes("Bearer") && <span class="quiet">(leave empty for a token)</span>}
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
          <p class="quiet">
            Your sign-in is kept until this tab is closed, and sent only to this server.
          </p>
        </form>
      )}
    </main>
  );
}
