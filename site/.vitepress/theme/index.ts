/** The theme of VitePress, and what is ours in it. @module */
/// <reference types="vite/client" />
export { default } from "vitepress/theme";
import "./style.css";
