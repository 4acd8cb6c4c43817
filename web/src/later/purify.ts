// For browsers without `Element.setHTML`: the same cleaning by DOMPurify.

import DOMPurify from "dompurify";

interface Types {
  createPolicy(name: string, rules: { createHTML(html: string): string }): unknown;
}

const types = (window as { trustedTypes?: Types }).trustedTypes;
/** Throws where the page's policy does not allow it: then there is no cleaning, and words stay words. */
const policy = types?.createPolicy("beckon", { createHTML: (html) => html });

/** A fragment of `html` with these elements and attributes only. */
export function clean(html: string, tags: string[], attributes: string[]): DocumentFragment {
  return DOMPurify.sanitize(html, {
    ALLOWED_TAGS: tags,
    ALLOWED_ATTR: attributes,
    ALLOW_DATA_ATTR: false,
    ALLOW_ARIA_ATTR: false,
    RETURN_DOM_FRAGMENT: true,
    ...(policy ? { TRUSTED_TYPES_POLICY: policy as NonNullable<Parameters<typeof DOMPurify.sanitize>[1]>["TRUSTED_TYPES_POLICY"] & object } : {}),
  });
}
