// Looks at the portal again every two seconds, without a reload while nothing
// changes, so that neither focus nor a screen reader loses its place.
const access = page => page.querySelector("#access")?.textContent ?? "";

setInterval(async () => {
	try {
		const answer = await fetch("/portal", { cache: "no-store" });
		const page = new DOMParser().parseFromString(await answer.text(), "text/html");
		if (answer.redirected || access(page) !== access(document)) {
			location.reload();
			return;
		}
		for (const id of ["roles", "looked"]) {
			document.getElementById(id).textContent = page.getElementById(id).textContent;
		}
	} catch {
		document.getElementById("looked").textContent = "The simulation does not answer any more.";
	}
}, 2000);
