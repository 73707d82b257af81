// The smallest application.

export function setup(): void {}
