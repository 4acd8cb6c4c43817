// As its readme shows it: the launcher is there, the chat is made and not displayed.
import { Fab, Webchat } from "@botpress/webchat";
import { createElement, useState } from "react";
import { createRoot } from "react-dom/client";

const place = { position: "fixed", right: "20px" };

function App() {
  const [open, setOpen] = useState(false);
  return [
    createElement(Webchat, { key: "chat", clientId: "bench", style: { ...place, width: "400px", height: "600px", bottom: "90px", display: open ? "flex" : "none" } }),
    createElement(Fab, { key: "fab", onClick: () => setOpen(!open), style: { ...place, bottom: "20px", width: "64px", height: "64px" } }),
  ];
}

const root = document.createElement("div");
document.body.append(root);
createRoot(root).render(createElement(App));
